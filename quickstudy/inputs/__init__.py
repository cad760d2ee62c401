"""What people bring, and how it becomes what a net takes."""
