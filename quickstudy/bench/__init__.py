"""Speed beside other ways to do the same: `quickstudy bench`."""
