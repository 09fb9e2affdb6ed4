# A VM that is gone, and nothing tells how, is unknown.
 0.000  process  web1 vanished
 1.000  expect   web1 unknown by unknown, unseen, graceful unknown, left gone, guess, rule vanished
 1.000  expect   web1 not started
