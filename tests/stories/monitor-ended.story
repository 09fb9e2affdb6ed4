# A VM that is one of many in its process: the end of its monitor is all that is seen of it.
 0.000  qmp      web1 running
 5.000  qmp      web1 monitor-closed
 5.000  process  web1 vanished
 6.000  expect   web1 unknown by unknown, unseen, graceful unknown, left gone, guess
