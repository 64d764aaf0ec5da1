"""The paper that invoices are printed on: A4, one font, a footer with the page's number.

The font is Noto Sans CJK from a package of its own: it has the signs of all that buyers are likely
to be called, and its Japanese cut draws 直, 骨, 誤 and 門 as Japanese readers know them.
"""

from fpdf import FPDF
from noto_cjk_sans_jp_regular import FONT_PATH

from billing.line_breaks import lines_of

LEFT, WIDTH, BOTTOM = 20, 170, 22  # millimetres, on A4
INK, MUTED, RULE = (28, 30, 48), (104, 108, 128), (216, 218, 228)


class Page(FPDF):
    """A document whose pages end with `foot` and their number."""

    def __init__(self, *, foot: str) -> None:
        super().__init__(format="A4")
        self.foot = foot
        self.head: tuple[str, str] | None = None
        self.c_margin = 0
        self.set_margins(LEFT, 22, LEFT)
        self.set_auto_page_break(True, margin=BOTTOM)
        self.add_font("sans", "", str(FONT_PATH))
        self.add_page()

    def header(self) -> None:
        """Print the table's head, where one goes on: fpdf2 calls this as each page begins."""
        if self.head:
            self.row(*self.head, size=8, colour=MUTED, height=5)
            self.rule()

    def footer(self) -> None:
        """Print the foot: fpdf2 calls this at the end of each page."""
        self.set_y(-15)
        self.ink(8, MUTED)
        self.cell(0, 5, f"{self.foot}   {self.page_no()} / {{nb}}")

    def head_begin(self, left: str, right: str) -> None:
        """Print a table's head, here and on each page that the table takes."""
        self.head = (left, right)
        self.header()

    def head_end(self) -> None:
        self.head = None

    def ink(self, size: float, colour: tuple[int, int, int] = INK) -> None:
        self.set_font("sans", size=size)
        self.set_text_color(*colour)

    def text_line(
        self, text: str, *, size: float = 10, colour: tuple[int, int, int] = INK, height: float = 6
    ) -> None:
        """Print a text over the whole width, over several lines of one page where it is long."""
        self.ink(size, colour)
        self._lines(self._broken(text, WIDTH), WIDTH, height)

    def row(
        self,
        left: str,
        right: str,
        *,
        size: float = 10,
        colour: tuple[int, int, int] = INK,
        height: float = 6.5,
        under: str = "",
    ) -> None:
        """Print a text, over several lines of one page where it is long, and what it comes to.

        `under` goes below in small.
        """
        self.ink(size, colour)
        wide = WIDTH * 0.76
        lines = self._broken(left, wide)
        self.keep_together(height * len(lines) + (5 if under else 0))
        top = self.get_y()
        self.set_x(LEFT + wide)
        self.cell(WIDTH - wide, height, right, align="R")
        self.set_xy(LEFT, top)
        self._lines(lines, wide, height)
        if under:
            self.text_line(under, size=8, colour=MUTED, height=5)

    def keep_together(self, height: float) -> None:
        """Go on with the next page where so many millimetres do not fit on this one."""
        if self.will_page_break(height):
            self.add_page()

    def rule(self) -> None:
        self.set_draw_color(*RULE)
        self.line(LEFT, self.get_y() + 1, LEFT + WIDTH, self.get_y() + 1)
        self.ln(3)

    def columns(self, *columns: tuple[str, list[str]]) -> None:
        """Print labelled texts side by side, and go on below the longest."""
        top = bottom = self.get_y()
        wide = WIDTH / len(columns)
        for place, (label, texts) in enumerate(columns):
            self.set_xy(LEFT + place * wide, top)
            self.ink(8, MUTED)
            self.cell(wide, 5, label)
            self.set_xy(LEFT + place * wide, top + 5)
            self.ink(10)
            text = "\n".join(text for text in texts if text)
            self._lines(self._broken(text, wide - 5), wide - 5, 5.5)
            bottom = max(bottom, self.get_y())
        self.set_xy(LEFT, bottom)
        self.ln(8)

    def _broken(self, text: str, wide: float) -> list[str]:
        return lines_of(text, lambda line: self.get_string_width(line) <= wide)

    def _lines(self, lines: list[str], wide: float, height: float) -> None:
        """Print lines of one page below each other, from where we are."""
        self.keep_together(height * len(lines))
        for line in lines:
            left = self.get_x()
            self.cell(wide, height, line)
            self.set_xy(left, self.get_y() + height)
        self.set_x(LEFT)
