"""Forms that are known in part: expressions with constants to be fitted and functions to be found."""
