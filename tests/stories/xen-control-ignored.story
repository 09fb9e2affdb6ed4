# A request that the guest never took did not power it off.
 4.990  vmpower  web1 request shutdown pid=501 comm=vmpower user=anna
 5.000  xen      web1 control-request poweroff
 8.000  xen      web1 domain-shutdown poweroff
 8.000  expect   web1 poweroff by guest, xen-shutdown, graceful, certain, actor nobody
