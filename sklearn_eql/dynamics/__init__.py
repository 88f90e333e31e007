"""Laws of motion: an encoder and a recurrent EQL cell trained together, and the law that is left of the cell."""
