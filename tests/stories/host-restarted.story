# The host went down with a VM that somebody looked after until then.
 0.000  qmp      web1 running
60.000  vmpower  web1 gap "the host was started anew"
60.000  host     web1 host-restarted watched=true
60.000  process  web1 vanished
61.000  expect   web1 destroy by host, host-shutdown, not graceful, left gone, likely
