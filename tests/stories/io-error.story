# A VM that its storage stopped was paused by the host.
 5.000  qmp      web1 BLOCK_IO_ERROR action=stop device=drive0
 5.000  qmp      web1 STOP
 5.001  qmp      web1 status io-error
 5.001  expect   web1 pause by host, io-error, graceful unknown, left paused, certain
