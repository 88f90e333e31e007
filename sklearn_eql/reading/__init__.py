"""What users bring, as arrays and tables of numbers: files in any dialect, containers of any kind."""
