"""YARN on one host: a resource manager and a node manager, of Hadoop's own test cluster.

Run on the host by a Python that finds py4j, with its jar, Hadoop's classes, and the folder for the
configuration: `python yarn.py py4j.jar "jars/*:minicluster.jar" conf`. It runs until it is killed.
https://hadoop.apache.org/docs/stable/hadoop-project-dist/hadoop-common/CLIMiniCluster.html
"""

import sys
import threading
from pathlib import Path

from py4j.java_gateway import JavaGateway

# A container's environment has these of the node manager: on AWS it is the role of the instance.
INHERITED = "JAVA_HOME,PATH,SPARK_HOME,AWS_ACCESS_KEY_ID,AWS_SECRET_ACCESS_KEY"
PROPERTIES = {
    "yarn.nodemanager.env-whitelist": INHERITED,
    "yarn.nodemanager.resource.memory-mb": "6144",
    "yarn.nodemanager.resource.cpu-vcores": "8",
    "yarn.scheduler.minimum-allocation-mb": "256",
    "yarn.scheduler.maximum-allocation-mb": "4096",
    "yarn.nodemanager.vmem-check-enabled": "false",
    "yarn.nodemanager.pmem-check-enabled": "false",
    "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": "100",
    "yarn.webapp.ui2.enable": "false",
    "yarn.scheduler.capacity.root.queues": "default",
    "yarn.scheduler.capacity.root.default.capacity": "100",
    "yarn.scheduler.capacity.maximum-am-resource-percent": "1",
}


def main(jar: str, classpath: str, folder: str) -> None:
    gateway = JavaGateway.launch_gateway(
        jarpath=jar,
        classpath=classpath,
        die_on_exit=True,
        javaopts=["-Xmx512m", "--add-opens=java.base/java.lang=ALL-UNNAMED"],
        redirect_stdout=sys.stdout,
        redirect_stderr=sys.stderr,
    )
    yarn = gateway.jvm.org.apache.hadoop.yarn.server.MiniYARNCluster("emr", 1, 1, 1)
    conf = gateway.jvm.org.apache.hadoop.yarn.conf.YarnConfiguration()
    for name, value in PROPERTIES.items():
        conf.set(name, value)
    yarn.init(conf)
    yarn.start()
    partial = Path(folder, "partial.xml")
    stream = gateway.jvm.java.io.FileOutputStream(str(partial))
    yarn.getConfig().writeXml(stream)
    stream.close()
    partial.rename(Path(folder, "yarn-site.xml"))
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
