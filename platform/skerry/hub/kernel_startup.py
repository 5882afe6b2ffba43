"""Each kernel of a user server runs this first (PYTHONSTARTUP), so it must be fast."""

from skerry.hub.offline_plots import watch_panel

watch_panel()
del watch_panel
