"""The banners that VA.gov shows to people who are about to sign in."""
