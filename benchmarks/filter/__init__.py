"""The filter, measured: our stream app, a plain client loop and a naive Faust agent on the same topic."""
