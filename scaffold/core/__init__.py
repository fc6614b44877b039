"""What every other package uses: errors, results, signals, Git, the target."""
