"""The paper that invoices are printed on: A4, one font, a footer with the page's number.

The font is Noto Sans CJK from a package of its own, so that names in Japanese can be printed.
"""

from importlib.resources import files
from pathlib import Path
from typing import Any

from fpdf import FPDF
from fpdf.enums import XPos, YPos

FONT = Path(str(files("cvttf_NotoSansCJK_Regular") / "NotoSansCJKtc-Regular.otf"))
LEFT, WIDTH, BOTTOM = 20, 170, 22  # millimetres, on A4
INK, MUTED, RULE = (28, 30, 48), (104, 108, 128), (216, 218, 228)


class Page(FPDF):
    """A document whose pages end with `foot` and their number."""

    def __init__(self, *, foot: str) -> None:
        super().__init__(format="A4")
        self.foot = foot
        self.set_margins(LEFT, 22, LEFT)
        self.set_auto_page_break(True, margin=BOTTOM)
        self.add_font("sans", "", FONT)
        self.add_page()

    def footer(self) -> None:
        """Print the foot: fpdf2 calls this at the end of each page."""
        self.set_y(-15)
        self.ink(8, MUTED)
        self.cell(0, 5, self.foot)
        self.set_x(LEFT)
        self.cell(0, 5, f"{self.page_no()} / {{nb}}", align="R")

    def ink(self, size: float, colour: tuple[int, int, int] = INK) -> None:
        self.set_font("sans", size=size)
        self.set_text_color(*colour)

    def text_line(
        self, text: str, *, size: float = 10, colour: tuple[int, int, int] = INK, height: float = 6
    ) -> None:
        """Print a text over the whole width, over several lines where it is long."""
        self.ink(size, colour)
        self.multi_cell(WIDTH, height, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def row(
        self,
        left: str,
        right: str,
        *,
        size: float = 10,
        colour: tuple[int, int, int] = INK,
        height: float = 6.5,
    ) -> None:
        """Print a text, over several lines where it is long, and what it comes to."""
        self.ink(size, colour)
        wide = WIDTH * 0.76
        self.keep_together(self.multi_cell(wide, height, left, dry_run=True, output="HEIGHT"))
        top = self.get_y()
        self.set_x(LEFT + wide)
        self.cell(WIDTH - wide, height, right, align="R")
        self.set_xy(LEFT, top)
        self.multi_cell(wide, height, left, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def keep_together(self, height: Any) -> None:
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
            self.multi_cell(wide - 5, 5.5, "\n".join(text for text in texts if text), align="L")
            bottom = max(bottom, self.get_y())
        self.set_xy(LEFT, bottom)
        self.ln(8)
