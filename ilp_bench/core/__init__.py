"""What every other package uses: errors, files, resuming, untrusted input, metrics, distributed processes."""
