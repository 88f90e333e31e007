"""From structures that a search found to laws in the user's units, and which of them is selected."""
