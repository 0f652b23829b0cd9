"""Tests of the training: data, trainers, export, golden vectors, cards, reports, the commands."""
