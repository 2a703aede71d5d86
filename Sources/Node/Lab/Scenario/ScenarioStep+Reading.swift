extension ScenarioStep {
    /// What a step may do; it does one of these.
    private static let actionKeys = ["run", "shell", "reboot", "link_down", "link_up", "end", "capture", "pause", "verify"]
    private static let commandKeys = ["on", "background", "wait_for", "expect", "save", "exit", "timeout"]
    private static let captureKeys = ["file", "filter"]
    static let keys = ["name"] + actionKeys + commandKeys + captureKeys

    /// A day, in seconds.
    private static let longest = 86_400.0

    init(_ table: ScenarioTable) throws(LabError) {
        let actions = Self.actionKeys.filter(table.has)
        guard let key = actions.first else { throw table.fault(nil, "does nothing: exactly one of \(Self.actionKeys.joined(separator: ", "))") }
        guard actions.count == 1 else { throw table.fault(nil, at: actions[1], "\(actions.joined(separator: " and ")): exactly one of \(Self.actionKeys.joined(separator: ", "))") }
        let isCommand = key == "run" || key == "shell"
        let others = isCommand ? Self.commandKeys : key == "capture" ? Self.captureKeys : []
        for other in table.keys where other != key && other != "name" && !others.contains(other) {
            throw table.fault(nil, at: other, "\(other) says nothing about \(key)")
        }

        self.name = try table.text("name")
        switch key {
        case "run", "shell": self.action = .run(try Run(table))
        case "reboot": self.action = .reboot(try table.requiredText(key))
        case "link_down", "link_up": self.action = .link(try table.requiredText(key), up: key == "link_up")
        case "end": self.action = .end(try table.requiredText(key))
        case "capture":
            let file = try table.requiredText("file")
            guard !file.isEmpty else { throw table.fault("file", "the name of a file is expected") }
            self.action = .capture(host: try table.requiredText(key), file: file, filter: try table.text("filter") ?? "")
        case "pause": self.action = .pause(.milliseconds(Int64((try table.number(key, from: 0...Self.longest, " s") ?? 0) * 1000)))
        default:
            guard try table.flag("verify") == true else { throw table.fault(key, "only true has a meaning; leave the step out otherwise") }
            self.action = .verify
        }
    }
}

extension ScenarioStep.Run {
    /// In seconds.
    private static let timeouts = 0.001...86_400.0

    fileprivate init(_ table: ScenarioTable) throws(LabError) {
        guard let host = try table.text("on") else { throw table.fault(nil, "on (which host) is missing") }
        let isBackground = try table.flag("background") ?? false
        if isBackground {
            for key in ["expect", "exit"] where table.has(key) { throw table.fault(nil, at: key, "\(key) is for programs in the foreground; a program in the background has wait_for") }
            for key in ["save", "timeout"] where table.has(key) && !table.has("wait_for") {
                throw table.fault(nil, at: key, "\(key) needs wait_for: nobody waits for a program in the background without")
            }
        } else if table.has("wait_for") {
            throw table.fault(nil, at: "wait_for", "wait_for needs background = true; a program in the foreground has expect")
        }
        let command: [String]
        if let script = try table.text("shell") {
            guard !script.isEmpty else { throw table.fault("shell", "which command?") }
            command = ["sh", "-c", script]
        } else {
            command = try table.command("run") ?? []
        }
        let saves = try table.texts("save") ?? [:]
        for name in saves.keys where name.wholeMatch(of: /[\w.-]+/) == nil { throw table.fault("save", "the name \"\(name)\": letters, digits, _, - and . are expected") }
        self.init(
            host: host, command: command, isBackground: isBackground, waitFor: try table.text("wait_for"), expects: try table.text("expect"), saves: saves,
            exit: Int32(try table.whole("exit", from: 0...255) ?? 0), timeout: .milliseconds(Int64((try table.number("timeout", from: Self.timeouts, " s") ?? 60) * 1000)))
        let patterns = [("wait_for", self.waitFor), ("expect", self.expects)] + saves.sorted { $0.key < $1.key }.map { ("save", Optional($0.value)) }
        for (key, pattern) in patterns {
            // What a variable stands for is escaped.
            guard let pattern, (try? Regex(pattern.replacing(/\$\{[^}]*\}/, with: "x"))) == nil else { continue }
            throw table.fault(key, "\"\(pattern)\" is no regular expression")
        }
    }
}
