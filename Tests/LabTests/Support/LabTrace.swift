#if os(Linux)
@testable import DIGNATLab
import Foundation

/// What a lab leaves on the machine.
enum LabTrace {
    static func namespaces(of id: String) -> [String] {
        Namespaces.all.filter { LabRecord.id(ofNamespace: $0) == id }
    }

    /// Programs that were started in the lab, by what its hosts are told of it.
    static func processes(of id: String) -> [String] {
        let marker = Data("NATLAB_ID=\(id)".utf8)
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.filter { Int32($0) != nil }.compactMap { pid in
            guard let environment = FileManager.default.contents(atPath: "/proc/\(pid)/environ"), environment.range(of: marker) != nil else { return nil }
            return "\(pid) \((try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8)) ?? "")"
        }
    }
}
#endif
