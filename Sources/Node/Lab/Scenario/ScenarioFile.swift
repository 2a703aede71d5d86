import Foundation
import TOMLKit

/// A scenario as written in TOML: an internet, and what happens in it. `NATLab/README.md` describes the keys.
public struct ScenarioFile: Hashable, Sendable {
    public var title: String
    public var plan: LabPlan
    public var steps: [ScenarioStep]

    /// - Throws: ``LabError`` with `.invalidScenario` or `.invalidPlan`, naming the file.
    public static func read(_ path: String) throws(LabError) -> ScenarioFile {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw LabError(.invalidScenario, "\(path) can't be read: \(error.localizedDescription)")
        }
        do throws(LabError) {
            return try ScenarioFile(text: text, name: (path as NSString).lastPathComponent)
        } catch {
            throw LabError(error.code, "\(path): \(error.message)")
        }
    }

    /// - Parameter name: The title if the file gives none.
    /// - Throws: ``LabError`` with `.invalidScenario` or `.invalidPlan`.
    public init(text: String, name: String) throws(LabError) {
        let document: Document
        do {
            document = try TOMLDecoder(strictDecoding: true).decode(Document.self, from: text)
        } catch let error as TOMLParseError {
            throw LabError(.invalidScenario, "line \(error.source.begin.line): \(error.description)")
        } catch let error as DecodingError {
            throw LabError(.invalidScenario, Self.words(for: error))
        } catch let error as UnexpectedKeysError {
            throw LabError(.invalidScenario, "unknown: \(error.keys.keys.sorted().joined(separator: ", "))")
        } catch let error as LabError {
            throw error
        } catch {
            throw LabError(.invalidScenario, "\(error)")
        }
        self.title = document.title ?? name
        self.plan = try document.plan
        try self.plan.validate()
        var steps: [ScenarioStep] = []
        for (index, step) in (document.step ?? []).enumerated() {
            do throws(LabError) {
                steps.append(try step.step)
            } catch {
                throw LabError(error.code, "step \(index + 1): \(error.message)")
            }
        }
        self.steps = steps
    }

    private static func words(for error: DecodingError) -> String {
        func place(_ context: DecodingError.Context) -> String { context.codingPath.map { $0.intValue.map { "\($0 + 1)" } ?? $0.stringValue }.joined(separator: ".") }
        switch error {
        case .keyNotFound(let key, let context): return "\(place(context)): \(key.stringValue) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context): return "\(place(context)): \(context.debugDescription)"
        @unknown default: return "\(error)"
        }
    }

    // MARK: The document

    /// TOML tells `20` from `20.0`; people do not.
    private struct Number: Decodable {
        var value: Double

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let whole = try? container.decode(Int.self) {
                self.value = Double(whole)
            } else {
                self.value = try container.decode(Double.self)
            }
        }
    }

    private struct Document: Decodable {
        var title: String?
        /// Milliseconds, of every home that gives none.
        var delay: Number?
        var `public`: [PublicEntry]?
        var home: [HomeEntry]?
        var carrier: [CarrierEntry]?
        var step: [StepEntry]?

        var plan: LabPlan {
            get throws(LabError) {
                var homes: [HomePlan] = []
                for entry in self.home ?? [] { homes.append(try entry.plan(delay: self.delay)) }
                var carriers: [CarrierPlan] = []
                for entry in self.carrier ?? [] {
                    carriers.append(
                        CarrierPlan(
                            entry.name, nat: try ScenarioFile.kind(entry.nat), hairpin: entry.hairpin ?? false,
                            link: LinkPlan(delay: ScenarioFile.duration(entry.delay), up: entry.up?.value, down: entry.down?.value)))
                }
                let publicHosts = (self.public ?? []).map {
                    PublicHostPlan($0.name, link: LinkPlan(delay: ScenarioFile.duration($0.delay), loss: $0.loss?.value ?? 0, up: $0.up?.value, down: $0.down?.value))
                }
                return LabPlan(publicHosts: publicHosts, homes: homes, carriers: carriers)
            }
        }
    }

    private static func duration(_ milliseconds: Number?) -> Duration {
        guard let value = milliseconds?.value, value.isFinite else { return .zero }
        return .microseconds(Int64(min(max(value * 1000, -1), 1e12)))
    }

    private static func kind(_ name: String) throws(LabError) -> NATKind {
        guard let kind = NATKind(rawValue: name) else {
            throw LabError(.invalidScenario, "nat \"\(name)\"; one of \(NATKind.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return kind
    }

    private struct PublicEntry: Decodable {
        var name: String
        var delay: Number?
        var loss: Number?
        var up: Number?
        var down: Number?
    }

    private struct CarrierEntry: Decodable {
        var name: String
        var nat: String
        var hairpin: Bool?
        var delay: Number?
        var up: Number?
        var down: Number?
    }

    private struct HomeEntry: Decodable {
        var name: String
        var nat: String
        var hosts: Int?
        var hairpin: Bool?
        var preserve: Bool?
        var upnp: Bool?
        var reject: Bool?
        var ipv6: String?
        var udp_timeout: Int?
        var carrier: String?
        var delay: Number?
        var loss: Number?
        var up: Number?
        var down: Number?

        func plan(delay standard: Number?) throws(LabError) -> HomePlan {
            var ipv6: IPv6Plan?
            if let text = self.ipv6 {
                guard let parsed = IPv6Plan(rawValue: text) else {
                    throw LabError(.invalidScenario, "home \(self.name): ipv6 \"\(text)\"; one of \(IPv6Plan.allCases.map(\.rawValue).joined(separator: ", "))")
                }
                ipv6 = parsed
            }
            return HomePlan(
                self.name, nat: try ScenarioFile.kind(self.nat), hostCount: self.hosts ?? 1, hairpin: self.hairpin ?? false,
                preservesPorts: self.preserve ?? true, upnp: self.upnp ?? false, rejects: self.reject ?? false, ipv6: ipv6,
                udpTimeoutSeconds: self.udp_timeout, carrier: self.carrier,
                link: LinkPlan(delay: ScenarioFile.duration(self.delay ?? standard), loss: self.loss?.value ?? 0, up: self.up?.value, down: self.down?.value))
        }
    }

    private struct StepEntry: Decodable {
        var name: String?
        var on: String?
        var run: [String]?
        var shell: String?
        var background: Bool?
        var wait_for: String?
        var expect: String?
        var save: [String: String]?
        var exit: Int32?
        var timeout: Number?
        var reboot: String?
        var link_down: String?
        var link_up: String?
        var end: String?
        var capture: String?
        var file: String?
        var filter: String?
        var pause: Number?
        var verify: Bool?

        var step: ScenarioStep {
            get throws(LabError) {
                var actions: [ScenarioStep.Action] = []
                if self.run != nil || self.shell != nil {
                    guard self.run == nil || self.shell == nil else { throw LabError(.invalidScenario, "either run or shell") }
                    guard let on = self.on else { throw LabError(.invalidScenario, "on (which host) is missing") }
                    let command = self.run ?? ["sh", "-c", self.shell ?? ""]
                    guard !command.isEmpty else { throw LabError(.invalidScenario, "run is empty") }
                    for pattern in [self.wait_for, self.expect].compactMap({ $0 }) + (self.save ?? [:]).values {
                        guard (try? Regex(pattern.replacing(/\$\{[^}]*\}/, with: "x"))) != nil else { throw LabError(.invalidScenario, "\"\(pattern)\" is no regular expression") }
                    }
                    actions.append(
                        .run(
                            ScenarioStep.Run(
                                host: on, command: command, isBackground: self.background ?? false, waitFor: self.wait_for, expects: self.expect,
                                saves: self.save ?? [:], exit: self.exit ?? 0, timeout: .milliseconds(Int64(min(max((self.timeout?.value ?? 60) * 1000, 1), 86_400_000))))))
                }
                if let home = self.reboot { actions.append(.reboot(home)) }
                if let name = self.link_down { actions.append(.link(name, up: false)) }
                if let name = self.link_up { actions.append(.link(name, up: true)) }
                if let name = self.end { actions.append(.end(name)) }
                if let host = self.capture {
                    guard let file = self.file else { throw LabError(.invalidScenario, "capture needs a file") }
                    actions.append(.capture(host: host, file: file, filter: self.filter ?? ""))
                }
                if let seconds = self.pause?.value { actions.append(.pause(.milliseconds(Int64(min(max(seconds * 1000, 0), 86_400_000))))) }
                if self.verify == true { actions.append(.verify) }
                guard actions.count == 1, let action = actions.first else {
                    throw LabError(.invalidScenario, "exactly one of run, shell, reboot, link_down, link_up, end, capture, pause, verify")
                }
                return ScenarioStep(name: self.name, action: action)
            }
        }
    }
}
