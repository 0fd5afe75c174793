"""Tests of one module each, within seconds."""
