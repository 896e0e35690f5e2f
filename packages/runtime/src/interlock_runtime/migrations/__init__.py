"""The version files of this part's branch of migrations."""
