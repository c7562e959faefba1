"""HTTP doors: they translate and delegate, and hold no rules."""
