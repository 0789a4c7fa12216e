import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import software.amazon.event.ruler.JsonRuleCompiler;
import software.amazon.event.ruler.Machine;
import software.amazon.event.ruler.Patterns;

/**
 * Amazon's event ruler. Reads lines with a list of two strings, the JSON of a pattern and of an event, and writes for
 * each one of: "match", "no match", "refused: " with what is wrong with the pattern.
 */
public class EventRuler {
    /** A field that is named twice is refused; by itself the ruler keeps the last. */
    private static final boolean OVERRIDING = false;

    public static void main(String[] options) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream answers = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            JsonNode pair = mapper.readTree(line);
            answers.println(answer(pair.get(0).textValue(), pair.get(1).textValue()));
        }
        answers.flush();
    }

    private static String answer(String pattern, String event) throws Exception {
        Machine machine = new Machine();
        try {
            List<Map<String, List<Patterns>>> rules = JsonRuleCompiler.compile(pattern, OVERRIDING);
            // Throws where a range has one end at the greatest or least number.
            rules.forEach(rule -> machine.addPatternRule("rule", rule));
        } catch (Exception refused) {
            return "refused: " + String.valueOf(refused.getMessage()).lines().findFirst().orElse("");
        }
        return machine.rulesForJSONEvent(event).isEmpty() ? "no match" : "match";
    }
}
