"""Moving pictures. Each is read frame by frame, for each variant anew, and written so, too.

film.py          what a film is              read.py          a film of any file
gif_blocks.py    a GIF, not decoded          count.py         how many frames there are
chunks.py        PNG and WebP, not decoded
gif_reader.py    frames as they are seen     apng_reader.py
gif_writer.py    frames as files have them   apng_writer.py   webp_writer.py   avif_writer.py
"""
