# A VMM that exits with 0 and says nothing leaves it unknown.
 0.000  qmp      web1 running
 5.001  process  web1 exited 0
 6.000  expect   web1 unknown by unknown, process-exit, graceful unknown, left gone, guess
