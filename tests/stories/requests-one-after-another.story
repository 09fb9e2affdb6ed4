# Somebody who pauses and resumes a VM again and again is answered each time.
 5.000  vmpower  web1 request stop pid=500 comm=pauses0 user=anna
 5.010  qmp      web1 STOP
 5.011  qmp      web1 status paused
 5.011  expect   web1 pause by operator, qmp-stop, actor pauses0
 5.100  vmpower  web1 request cont pid=600 comm=resumes0 user=anna
 5.110  qmp      web1 RESUME
 5.110  expect   web1 resume by operator, qmp-stop, actor resumes0
 5.200  vmpower  web1 request stop pid=501 comm=pauses1 user=anna
 5.210  qmp      web1 STOP
 5.211  qmp      web1 status paused
 5.211  expect   web1 pause by operator, qmp-stop, actor pauses1
 5.300  vmpower  web1 request cont pid=601 comm=resumes1 user=anna
 5.310  qmp      web1 RESUME
 5.310  expect   web1 resume by operator, qmp-stop, actor resumes1
 5.400  vmpower  web1 request stop pid=502 comm=pauses2 user=anna
 5.410  qmp      web1 STOP
 5.411  qmp      web1 status paused
 5.411  expect   web1 pause by operator, qmp-stop, actor pauses2
 5.500  vmpower  web1 request cont pid=602 comm=resumes2 user=anna
 5.510  qmp      web1 RESUME
 5.510  expect   web1 resume by operator, qmp-stop, actor resumes2
 5.600  vmpower  web1 request stop pid=503 comm=pauses3 user=anna
 5.610  qmp      web1 STOP
 5.611  qmp      web1 status paused
 5.611  expect   web1 pause by operator, qmp-stop, actor pauses3
 5.700  vmpower  web1 request cont pid=603 comm=resumes3 user=anna
 5.710  qmp      web1 RESUME
 5.710  expect   web1 resume by operator, qmp-stop, actor resumes3
 5.800  vmpower  web1 request stop pid=504 comm=pauses4 user=anna
 5.810  qmp      web1 STOP
 5.811  qmp      web1 status paused
 5.811  expect   web1 pause by operator, qmp-stop, actor pauses4
 5.900  vmpower  web1 request cont pid=604 comm=resumes4 user=anna
 5.910  qmp      web1 RESUME
 5.910  expect   web1 resume by operator, qmp-stop, actor resumes4
 6.000  vmpower  web1 request stop pid=505 comm=pauses5 user=anna
 6.010  qmp      web1 STOP
 6.011  qmp      web1 status paused
 6.011  expect   web1 pause by operator, qmp-stop, actor pauses5
 6.100  vmpower  web1 request cont pid=605 comm=resumes5 user=anna
 6.110  qmp      web1 RESUME
 6.110  expect   web1 resume by operator, qmp-stop, actor resumes5
 6.200  vmpower  web1 request stop pid=506 comm=pauses6 user=anna
 6.210  qmp      web1 STOP
 6.211  qmp      web1 status paused
 6.211  expect   web1 pause by operator, qmp-stop, actor pauses6
 6.300  vmpower  web1 request cont pid=606 comm=resumes6 user=anna
 6.310  qmp      web1 RESUME
 6.310  expect   web1 resume by operator, qmp-stop, actor resumes6
 6.400  vmpower  web1 request stop pid=507 comm=pauses7 user=anna
 6.410  qmp      web1 STOP
 6.411  qmp      web1 status paused
 6.411  expect   web1 pause by operator, qmp-stop, actor pauses7
 6.500  vmpower  web1 request cont pid=607 comm=resumes7 user=anna
 6.510  qmp      web1 RESUME
 6.510  expect   web1 resume by operator, qmp-stop, actor resumes7
 6.600  vmpower  web1 request stop pid=508 comm=pauses8 user=anna
 6.610  qmp      web1 STOP
 6.611  qmp      web1 status paused
 6.611  expect   web1 pause by operator, qmp-stop, actor pauses8
 6.700  vmpower  web1 request cont pid=608 comm=resumes8 user=anna
 6.710  qmp      web1 RESUME
 6.710  expect   web1 resume by operator, qmp-stop, actor resumes8
 6.800  vmpower  web1 request stop pid=509 comm=pauses9 user=anna
 6.810  qmp      web1 STOP
 6.811  qmp      web1 status paused
 6.811  expect   web1 pause by operator, qmp-stop, actor pauses9
 6.900  vmpower  web1 request cont pid=609 comm=resumes9 user=anna
 6.910  qmp      web1 RESUME
 6.910  expect   web1 resume by operator, qmp-stop, actor resumes9
 7.000  vmpower  web1 request stop pid=510 comm=pauses10 user=anna
 7.010  qmp      web1 STOP
 7.011  qmp      web1 status paused
 7.011  expect   web1 pause by operator, qmp-stop, actor pauses10
 7.100  vmpower  web1 request cont pid=610 comm=resumes10 user=anna
 7.110  qmp      web1 RESUME
 7.110  expect   web1 resume by operator, qmp-stop, actor resumes10
 7.200  vmpower  web1 request stop pid=511 comm=pauses11 user=anna
 7.210  qmp      web1 STOP
 7.211  qmp      web1 status paused
 7.211  expect   web1 pause by operator, qmp-stop, actor pauses11
 7.300  vmpower  web1 request cont pid=611 comm=resumes11 user=anna
 7.310  qmp      web1 RESUME
 7.310  expect   web1 resume by operator, qmp-stop, actor resumes11
1h      expect   web1 24 verdicts
