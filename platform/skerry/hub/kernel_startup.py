"""Each kernel of a user server runs this first (PYTHONSTARTUP): it must cost nothing."""

from skerry.hub.offline_plots import watch_panel

watch_panel()
del watch_panel
