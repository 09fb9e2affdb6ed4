# Closing its window destroys a VM.
 5.000  qmp      web1 SHUTDOWN guest=false reason=host-ui
 5.005  process  web1 exited 0
 6.000  expect   web1 destroy by operator, ui, not graceful, left gone
