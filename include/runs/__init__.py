"""What each run did: records, releases, incidents, alerts. Uses gates and publishing."""
