"""A page that paints in a browser's tab, as a folder of files that any web server can serve."""
