# An operator pauses and resumes a VM.
 4.990  vmpower  web1 request stop pid=501 comm=vmpower user=anna
 5.000  qmp      web1 STOP
 5.001  qmp      web1 status paused
 5.001  expect   web1 pause by operator, qmp-stop, graceful unknown, left paused, actor vmpower
59.990  vmpower  web1 request cont pid=502 comm=vmpower2 user=anna
60.000  qmp      web1 RESUME
60.000  expect   web1 resume by operator, qmp-stop, graceful unknown, left running, actor vmpower2
60.000  expect   web1 2 verdicts
