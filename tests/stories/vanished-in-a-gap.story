# A VM that went while nobody looked is unknown, with the gap as evidence.
 0.000  qmp      web1 running
 5.000  vmpower  web1 gap "vmpower was restarted"
60.000  process  web1 vanished
61.000  expect   web1 unknown by unknown, unseen, graceful unknown, left gone, guess
