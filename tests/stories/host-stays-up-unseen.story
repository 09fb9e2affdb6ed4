# Called off: that the host was started anew long after tells nothing of a VM that nobody looked after any more.
 0.000  qmp      web1 running
 5.000  host     web1 going-down
 6.000  host     web1 stays-up
60.000  vmpower  web1 gap "the host was started anew"
60.000  host     web1 host-restarted watched=false
60.000  process  web1 vanished
61.000  expect   web1 unknown by unknown, unseen, graceful unknown, left gone, guess
