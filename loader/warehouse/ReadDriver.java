package loader.warehouse;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Properties;
import java.util.concurrent.Executor;
import org.apache.spark.TaskContext;
import org.apache.spark.util.TaskCompletionListener;

/**
 * Redshift's driver for Spark's tasks: the end of a task does not wait for rows that it has not read.
 *
 * Redshift's close() of a result waits for the thread that reads ahead, and that thread waits for
 * room in its full buffer. close() of a connection interrupts the thread, which then may not mark
 * the end of the rows (docs/decisions/0008). So both are called only if all rows are read.
 */
public class ReadDriver extends com.amazon.redshift.Driver {
    public Connection connect(String url, Properties properties) throws SQLException {
        Connection connection = super.connect(url, properties);
        TaskContext task = TaskContext.get();
        if (connection == null || task == null) {
            return connection;
        }
        return (Connection) new Read(connection, task).watched(Connection.class, connection);
    }

    /** The connection of a task, with the rows of its query. */
    private static class Read implements TaskCompletionListener, Executor {
        private final Connection connection;
        private final TaskContext task;
        private volatile ResultSet rows;

        Read(Connection connection, TaskContext task) {
            this.connection = connection;
            this.task = task;
        }

        Object watched(Class type, Object target) {
            return Proxy.newProxyInstance(
                ReadDriver.class.getClassLoader(), new Class[] {type}, new Calls(this, target));
        }

        void began(ResultSet result) throws SQLException {
            rows = result;
            // Spark calls listeners in reverse order: this one before the one that closes the rows.
            task.addTaskCompletionListener(this);
            if (task.isCompleted()) { // in another thread, while the query began
                onTaskCompletion(task);
            }
        }

        boolean isComplete() throws SQLException {
            return rows != null && rows.isClosed();
        }

        void breakOff() throws SQLException {
            connection.abort(this);
        }

        public void execute(Runnable command) {
            command.run();
        }

        public void onTaskCompletion(TaskContext ended) {
            boolean interrupted = Thread.interrupted(); // Spark kills the task
            try {
                if (!isComplete()) {
                    breakOff();
                    interrupted |= drain();
                }
            } catch (SQLException error) {
                throw new IllegalStateException(error);
            } finally {
                if (interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        }

        /** Take the rows of the buffer, until the end that abort() causes; true if interrupted. */
        private boolean drain() {
            boolean interrupted = false;
            while (true) {
                try {
                    if (!rows.next()) {
                        return interrupted;
                    }
                } catch (SQLException error) {
                    if (!(error.getCause() instanceof InterruptedException)) {
                        return interrupted; // the driver reports that the connection is broken
                    }
                    interrupted = true;
                }
            }
        }
    }

    /** Passes on the calls of the connection and its statements, which are few, not those of rows. */
    private static class Calls implements InvocationHandler {
        private final Read read;
        private final Object target;

        Calls(Read read, Object target) {
            this.read = read;
            this.target = target;
        }

        public Object invoke(Object proxy, Method method, Object[] arguments) throws Throwable {
            if (target instanceof Connection && method.getName().equals("close")
                    && !read.isComplete()) {
                read.breakOff();
                return null;
            }
            Object result;
            try {
                result = method.invoke(target, arguments);
            } catch (InvocationTargetException error) {
                throw error.getCause();
            }
            if (result instanceof PreparedStatement) {
                return read.watched(PreparedStatement.class, result);
            }
            if (result instanceof ResultSet) {
                read.began((ResultSet) result);
            }
            return result;
        }
    }
}
