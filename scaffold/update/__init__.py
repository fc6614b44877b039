"""Brings a service to another version of its kit, or to other answers, by a merge of trees."""
