import com.almworks.sqlite4java.SQLiteConnection;
import com.almworks.sqlite4java.SQLiteJob;
import com.almworks.sqlite4java.SQLiteQueue;
import com.amazonaws.services.dynamodbv2.local.main.ServerRunner;
import com.amazonaws.services.dynamodbv2.local.server.AbstractLocalDynamoDBServerHandler;
import com.amazonaws.services.dynamodbv2.local.server.DynamoDBProxyServer;
import com.amazonaws.services.dynamodbv2.local.server.LocalDynamoDBRequestHandler;
import com.amazonaws.services.dynamodbv2.local.shared.access.LocalDBClient;
import com.amazonaws.services.dynamodbv2.local.shared.access.sqlite.SQLiteDBAccess;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/**
 * DynamoDB Local with what its own main class has no option for. Where an upgrade has moved the fields and the method
 * that are reached for here, it does not start.
 */
public class DynamoDbOnLoopback {
    public static void main(String[] options) throws Exception {
        DynamoDBProxyServer dynamoDb = ServerRunner.createServerFromCommandLineArgs(options);
        listenOnLoopback((Server) read(DynamoDBProxyServer.class, "server", dynamoDb));
        Object handler = read(DynamoDBProxyServer.class, "serverHandler", dynamoDb);
        quicken(read(AbstractLocalDynamoDBServerHandler.class, "primaryHandler", handler));
        dynamoDb.start();
        dynamoDb.join();
    }

    /** By itself it listens on all interfaces. */
    private static void listenOnLoopback(Server jetty) {
        Connector[] connectors = jetty.getConnectors();
        if (connectors.length == 0) {
            throw new IllegalStateException("DynamoDB Local has no connector that could be bound to 127.0.0.1");
        }
        for (Connector connector : connectors) {
            ((ServerConnector) connector).setHost("127.0.0.1");
        }
    }

    /** Makes its database file as quick as its memory. */
    private static void quicken(Object requests) throws Exception {
        // Else opened by the first request. With -sharedDb there is one for all keys.
        Method open = LocalDynamoDBRequestHandler.class.getDeclaredMethod("getHandler", String.class);
        open.setAccessible(true);
        Object access = read(LocalDBClient.class, "dbAccess", open.invoke(requests, "any"));
        ((SQLiteQueue) read(SQLiteDBAccess.class, "queue", access)).execute(new Quicken()).get();
    }

    private static class Quicken extends SQLiteJob<Void> {
        @Override
        protected Void job(SQLiteConnection connection) throws Exception {
            // Written to the file and not to the disk: survives the end of the process, however it ends, and is a
            // hundred times quicker. It would not survive a power cut.
            connection.exec("PRAGMA synchronous = OFF");
            // Every write looks for the first record of its stream, and without this goes through all records of all
            // streams that are older.
            connection.exec("CREATE INDEX IF NOT EXISTS us_by_stream ON us (StreamID, SequenceNumber)");
            return null;
        }
    }

    private static Object read(Class<?> of, String name, Object from) throws Exception {
        Field field = of.getDeclaredField(name);
        field.setAccessible(true);
        return field.get(from);
    }
}
