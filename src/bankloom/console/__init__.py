"""The console's web pages: rendered here, no build step, nothing inline, no script needed but for Link."""
