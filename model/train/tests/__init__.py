"""Tests of the training: data, export, golden vectors."""
