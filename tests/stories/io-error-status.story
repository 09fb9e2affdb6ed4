# The status alone tells of an I/O error, too.
 5.000  qmp      web1 STOP
 5.001  qmp      web1 status io-error
 5.001  expect   web1 pause by host, io-error, left paused
