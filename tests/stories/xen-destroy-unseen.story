# A domain that is gone without a reason was destroyed, most likely: it may have shut down between two looks.
 5.000  xen      web1 domain-gone
 5.000  expect   web1 destroy by operator, xen-destroy, not graceful, likely, left gone
