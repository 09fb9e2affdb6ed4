# A VM that is killed while its host goes down was ended by that.
 5.000  host     web1 going-down
 95.00  process  web1 killed SIGKILL
 96.00  expect   web1 destroy by host, host-shutdown, not graceful, left gone
