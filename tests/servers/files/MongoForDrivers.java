import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.bson.BsonTimestamp;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import io.netty.channel.Channel;
import java.util.Collection;
import java.util.List;

/**
 * mongo-java-server on 127.0.0.1, its data in a file, plus what current drivers require and it lacks: wire version 9
 * (so "4.4" is a label, not a behaviour), the command `hello`, and `operationTime` in the response to $changeStream.
 */
public class MongoForDrivers {
    private static final MongoVersion VERSION = new MongoVersion() {
        @Override
        public List<Integer> getVersionArray() {
            return List.of(4, 4, 0);
        }

        @Override
        public int getWireVersion() {
            return 9;
        }
    };

    public static void main(String[] options) throws Exception {
        Backend backend = new Backend(options[1]);
        backend.version(VERSION);
        MongoServer server = new MongoServer(backend);
        server.enableOplog();
        server.bind("127.0.0.1", Integer.parseInt(options[0]));
        // Closes the file, so that what was written last is in it. (kill -9 loses the last second.)
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
        Thread.currentThread().join();
    }

    private static class Backend extends H2Backend {
        Backend(String file) {
            super(file);
        }

        @Override
        public Document handleCommand(Channel channel, String database, String command, Document query) {
            String known = command.equalsIgnoreCase("hello") ? "isMaster" : command;
            return complete(query, super.handleCommand(channel, database, known, query));
        }

        @Override
        public Document handleMessage(MongoMessage message) {
            return complete(message.getDocument(), super.handleMessage(withoutHello(message)));
        }
    }

    private static MongoMessage withoutHello(MongoMessage message) {
        if (!message.getDocument().containsKey("hello")) {
            return message;
        }
        // The command is the first key.
        Document document = new Document("isMaster", 1);
        document.putAll(message.getDocument());
        document.remove("hello");
        return new MongoMessage(message.getChannel(), message.getHeader(), document);
    }

    private static Document complete(Document query, Document reply) {
        if (query == null || reply == null) {
            return reply;
        }
        if (opensChangeStream(query) && !reply.containsKey("operationTime")) {
            reply.put("operationTime", new BsonTimestamp(((System.currentTimeMillis() / 1000) << 32) | 1L));
        }
        if (Boolean.TRUE.equals(reply.get("ismaster"))) {
            reply.put("isWritablePrimary", true);
        }
        return reply;
    }

    private static boolean opensChangeStream(Document query) {
        return query.get("pipeline") instanceof Collection<?> pipeline
            && !pipeline.isEmpty()
            && pipeline.iterator().next() instanceof Document stage
            && stage.containsKey("$changeStream");
    }
}
