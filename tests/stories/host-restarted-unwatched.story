# Nobody looked when the host went down: the VM may have ended at any time before.
 0.000  qmp      web1 running
60.000  vmpower  web1 gap "the host was started anew"
60.000  host     web1 host-restarted watched=false
60.000  process  web1 vanished
61.000  expect   web1 unknown by unknown, unseen, graceful unknown, left gone, guess
