import Testing

@testable import DIGNATLab

private let home = "[[home]]\nname = \"alice\"\nnat = \"port-restricted\"\n"
private let step = "[[step]]\non = \"alice\"\nshell = \"true\"\n"

/// Every mistake is found when the file is read, and named: line, table, key, and what was probably meant.
@Suite("Mistakes in scenario files")
struct ScenarioMistakesTests {
    private func expect(_ text: String, _ words: String, sourceLocation: SourceLocation = #_sourceLocation) {
        do throws(LabError) {
            _ = try ScenarioFile(text: text, name: "x.toml")
            Issue.record("accepted: \(text)", sourceLocation: sourceLocation)
        } catch {
            #expect(error.code == .invalidScenario, sourceLocation: sourceLocation)
            #expect(error.message.contains(words), "\(error.message)", sourceLocation: sourceLocation)
        }
    }

    @Test(
        "of the document",
        arguments: [
            ("[[home]", "line 1"), ("x = 1", "line 1: unknown key \"x\""), ("# one\n\ntitel = \"x\"", "line 3: unknown key \"titel\"; did you mean \"title\"?"),
            ("title = 3", "line 1: title: a text in quotes is expected, not 3"), ("home = 3", "line 1: home: a list of tables, each with the head [[home]]"),
            ("[home]\nname = \"a\"", "home: a list of tables, each with the head [[home]], is expected, not a table"), ("step = [1]", "step: a list of tables"), ("delay = -5", "line 1: delay: a number from 0 to 5000 ms is expected, not -5"),
            ("title = \"a\"\u{0}", "NUL"), ("name = \"a\"\nname = \"b\"", "line 2"),
        ])
    func document(text: String, words: String) { self.expect(text, words) }

    @Test(
        "of a home",
        arguments: [
            ("hosts = \"two\"", "line 4: home 1 (alice): hosts: a whole number from 1 to 5 is expected, not the text \"two\""),
            ("hosts = 0", "from 1 to 5 is expected, not 0"), ("hosts = 2.5", "not 2.5"), ("hosts = 6", "not 6"), ("hosts = true", "not true"),
            ("delay = inf", "line 4: home 1 (alice): delay: a number from 0 to 5000 ms is expected, not inf"), ("delay = nan", "not nan"),
            ("delay = -5", "is expected, not -5"), ("delay = 1e300", "not 1e+300"), ("delay = [1]", "not a list"), ("delay = 2000-01-01", "not a date"),
            ("loss = 0.1", "loss: needs a delay"), ("loss = 1\ndelay = 1", "loss: from 0 to below 1"), ("loss = 2", "a number from 0 to 1"), ("up = 0", "up: a number from 0.05 to 100000 Mbit/s"),
            ("down = inf", "down: "), ("hairpni = true", "line 4: home 1 (alice): unknown key \"hairpni\"; did you mean \"hairpin\"? There are name, nat"),
            ("hairpin = 1", "true or false is expected, not 1"), ("ipv6 = \"yes\"", "ipv6: \"yes\" is none of none, firewalled, open"),
            ("ipv6 = \"fire\"", "did you mean \"firewalled\""), ("udp_timeout = 0", "udp_timeout: a whole number from 1 to 86400"), ("preserve = false", "line 4: home 1 (alice): preserve: only"),
            ("carrier = \"ips\"", "carrier: there is no carrier \"ips\"; there is none"),
            ("carrier = \"ips\"\n[[carrier]]\nname = \"isp\"\nnat = \"symmetric\"", "line 4: home 1 (alice): carrier: there is no carrier \"ips\"; did you mean \"isp\"? There is only isp"),
        ])
    func homes(line: String, words: String) { self.expect(home + line, words) }

    @Test(
        "of a part of the plan",
        arguments: [
            ("[[home]]\nname = \"a\"\nnat = \"cone\"", "line 3: home 1 (a): nat: \"cone\" is none of none, no-inbound"), ("[[home]]\nname = \"a\"\nnat = \"cone\"", "did you mean \"full-cone\"?"),
            ("[[home]]\nname = \"a\"", "line 1: home 1 (a): nat is missing"), ("[[home]]\nnat = \"none\"", "line 1: home 1: name is missing"),
            ("[[home]]\nname = 1\nnat = \"none\"", "line 2: home 1: name: a text in quotes is expected, not 1"), ("[[home]]\nname = \"A b\"\nnat = \"none\"", "line 2: home 1 (A b): name: \"A b\" is none"),
            ("[[public]]\nname = \"probe\"", "line 2: public 1 (probe): name: \"probe\" is the lab's own"), ("\(home)[[home]]\nname = \"alice\"\nnat = \"none\"", "line 5: home 2 (alice): name: two things"),
            ("[[home]]\nname = \"a\"\nnat = \"symmetric\"\nhairpin = true", "line 4: home 1 (a): hairpin: a symmetric NAT can't"),
            ("[[home]]\nname = \"a\"\nnat = \"cgnat-pr\"\ncarrier = \"a-isp\"", "line 4: home 1 (a): carrier: cgnat-pr brings"),
            ("[[carrier]]\nname = \"c\"\nnat = \"none\"", "line 3: carrier 1 (c): nat: none is no NAT"), ("[[public]]\nname = \"a\"\nnat = \"none\"", "public 1 (a): unknown key \"nat\""),
            ((0..<17).map { "[[home]]\nname = \"h\($0)\"\nnat = \"none\"\n" }.joined(), "line 51: home 17 (h16): nat: more than 16"),
            ("[[home]]\nname = \"a\\u001b[2J\"\nnat = \"none\"", "home 1"),
        ])
    func parts(text: String, words: String) { self.expect(text, words) }

    @Test(
        "of a step's names",
        arguments: [
            ("[[step]]\non = \"alcie\"\nshell = \"true\"", "line 5: step 1: on: there is no host \"alcie\"; did you mean \"alice\"? There is only alice"),
            ("[[step]]\non = \"alice-gw\"\nshell = \"true\"", "no host \"alice-gw\""), ("[[step]]\nreboot = \"bob\"", "step 1: reboot: there is no home or carrier \"bob\""),
            ("[[step]]\nlink_up = \"bob\"", "link_up: there is no home, carrier or host \"bob\""), ("[[step]]\ncapture = \"bob\"\nfile = \"x\"", "capture: there is no host"),
            ("\(step)[[step]]\nname = \"it\"\nend = \"server\"", "line 9: step 2 (it): end: there is no earlier step in the background with the name \"server\"; there is none"),
            ("\(step)name = \"server\"\n[[step]]\nend = \"server\"", "step 2: end: there is no earlier step in the background"),
            ("\(step)name = \"server\"\nbackground = true\n[[step]]\nend = \"server\"\n[[step]]\nend = \"server\"", "step 3: end: "),
            ("[[step]]\non = \"alice\"\nshell = \"echo ${link}\"", "line 6: step 1: shell: ${link} stands for nothing here"), ("[[step]]\non = \"alice\"\nrun = [\"a\", \"${alice.pi}\"]", "did you mean \"alice.ip\"?"),
            ("\(step)expect = \"${alice.ip6}\"", "expect: ${alice.ip6} stands"), ("\(step)expect = \"${x\"", "a } is missing"), ("\(step)save = { a = \"${b}\" }", "save: ${b}"),
            ("\(step)save = { \"alice.ip\" = \".*\" }", "save: ${alice.ip} is the lab's own"), ("[[step]]\ncapture = \"alice\"\nfile = \"${x}\"", "file: ${x}"),
            ("[[step]]\ncapture = \"alice\"\nfile = \"f\"\nfilter = \"${x}\"", "filter: ${x}"), ("\(step)expect = \"${a}\"\nsave = { a = \".*\" }", "expect: ${a}"),
        ])
    func names(text: String, words: String) { self.expect(home + text, words) }

    @Test(
        "of a step",
        arguments: [
            ("[[step]]", "line 4: step 1: does nothing: exactly one of run, shell"), ("[[step]]\nreboot = \"alice\"\npause = 1", "line 6: step 1: reboot and pause: exactly one of"),
            ("[[step]]\nrun = [\"x\"]", "on (which host) is missing"), ("[[step]]\non = \"alice\"\nrun = []", "run: which program?"), ("[[step]]\non = \"alice\"\nrun = [\"a\", 1]", "run: word 2: a text"),
            ("[[step]]\non = \"alice\"\nrun = \"true\"", "run: a list of texts is expected, not the text \"true\""), ("[[step]]\non = \"alice\"\nshell = \"\"", "shell: which"),
            ("[[step]]\npause = -1", "line 5: step 1: pause: a number from 0 to 86400 s is expected, not -1"), ("[[step]]\npause = nan", "not nan"), ("[[step]]\npause = 1e9", "pause: a number"),
            ("\(step)timeout = -3", "line 7: step 1: timeout: a number from 0.001 to 86400 s is expected, not -3"), ("\(step)exit = 256", "exit: a whole number from 0 to 255"),
            ("\(step)expect = \"((\"", "expect: \"((\" is no regular expression"), ("\(step)save = { a = \"(\" }", "save: \"(\" is no"), ("\(step)save = { a = 1 }", "save: a: a text"),
            ("\(step)save = { \"a}\" = \"x\" }", "save: the name \"a}\""), ("\(step)wait_for = \"x\"", "wait_for needs background = true"), ("\(step)background = true\nexpect = \"x\"", "expect is for programs in the foreground"),
            ("\(step)background = true\nexit = 1", "exit is for"), ("\(step)background = true\nsave = { a = \"x\" }", "save needs wait_for"), ("\(step)background = true\ntimeout = 1", "timeout needs wait_for"),
            ("[[step]]\npause = 1\ntimeout = 2", "line 6: step 1: timeout says nothing about pause"), ("\(step)file = \"x\"", "file says nothing about shell"), ("[[step]]\ncapture = \"alice\"", "file is missing"),
            ("[[step]]\ncapture = \"alice\"\nfile = \"\"", "file: the name"), ("[[step]]\nverify = false", "verify: only true"), ("[[step]]\nverfy = true", "unknown key \"verfy\"; did you mean \"verify\"?"),
            ("[[step]]\nverify = true\nname = 1", "name: a text"),
        ])
    func steps(text: String, words: String) { self.expect(home + text, words) }

    @Test("a file is named, whatever is wrong with it")
    func files() {
        for (path, words) in [("/no/such/file.toml", "/no/such/file.toml: there is no such file"), ("/", "/: a folder")] {
            do throws(LabError) {
                _ = try ScenarioFile.read(path)
                Issue.record("read: \(path)")
            } catch {
                #expect(error.code == .invalidScenario)
                #expect(error.message.hasPrefix(words), "\(error.message)")
            }
        }
    }

    @Test("what earlier steps saved and started can be named, and each carrier, router and host")
    func scope() throws {
        let scenario = try ScenarioFile(
            text: """
                [[home]]
                name = "alice"
                nat = "cgnat-sym"
                hosts = 2
                [[step]]
                name = "server"
                on = "alice-2"
                run = ["x", "${scenario}", "${lab}", "${alice.ip}", "${alice-2.dir}", "${alice.external}"]
                background = true
                wait_for = "${alice.ip}"
                save = { link = "(.*)" }
                [[step]]
                on = "alice"
                shell = "echo ${link}"
                save = { other = "${link}" }
                [[step]]
                reboot = "alice-isp"
                [[step]]
                link_down = "alice-2"
                [[step]]
                name = "packets"
                capture = "alice"
                file = "${other}"
                filter = "host ${alice.ip}"
                [[step]]
                end = "packets"
                [[step]]
                end = "server"
                """, name: "x")
        #expect(scenario.steps.count == 7)
    }

    @Test("lines are counted past other line ends, comments and long texts")
    func lines() {
        let lines = ScenarioLines("# [[home]]\r\na = \"\"\"\r\n[[home]]\r\nb = 1\r\n\"\"\"\r\n[[home]] # x\r\n  nat = 1\r\n[[ home ]]\nnat=2\n[step.save]\nx = 1\n")
        #expect(lines.line(of: "a", in: "", number: 1) == 2)
        #expect(lines.line(of: "b", in: "", number: 1) == nil)
        #expect(lines.line(of: nil, in: "home", number: 1) == 6)
        #expect(lines.line(of: "nat", in: "home", number: 1) == 7)
        #expect(lines.line(of: "nat", in: "home", number: 2) == 9)
        #expect(lines.line(of: "name", in: "home", number: 2) == 8)
        #expect(lines.line(of: "x", in: "step", number: 1) == nil)
    }

    @Test("a name is suggested only if it is close")
    func suggestions() {
        let names = ["port-restricted", "symmetric", "symmetric-seq", "full-cone"]
        for (name, closest) in [("symmetrical", "symmetric"), ("symetric", "symmetric"), ("sym", "symmetric"), ("cone", "full-cone"), ("port_restricted", "port-restricted")] {
            #expect(NameSuggestion.closest(to: name, among: names) == closest)
        }
        for name in ["", "s", "nohost", String(repeating: "symmetric", count: 100)] { #expect(NameSuggestion.closest(to: name, among: names) == nil) }
    }
}
