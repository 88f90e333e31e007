"""Laws of what an encoder sees: the stages in which encoder and law are trained together."""
