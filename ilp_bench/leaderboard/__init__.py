"""The static leaderboard site."""
