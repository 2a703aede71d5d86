import Foundation

/// Where the `natlab` executable is.
enum LabExecutable {
    /// - Throws: ``LabError`` with `.missingTool`.
    static func find(_ given: String?) throws(LabError) -> String {
        if let given { return given }
        if let path = ProcessInfo.processInfo.environment["NATLAB"], !path.isEmpty { return path }
        let arguments = CommandLine.arguments
        var starts = [Bundle.main.executablePath, arguments.first].compactMap { $0 }
        // A test bundle is run by a program that lives with the compiler.
        if let option = arguments.firstIndex(of: "--test-bundle-path"), option + 1 < arguments.count { starts.insert(arguments[option + 1], at: 0) }
        for start in starts {
            var folder = URL(fileURLWithPath: start).resolvingSymlinksInPath()
            for _ in 0..<4 {
                folder.deleteLastPathComponent()
                let candidate = folder.appendingPathComponent("natlab").path
                var isDirectory: ObjCBool = false
                if FileManager.default.fileExists(atPath: candidate, isDirectory: &isDirectory), !isDirectory.boolValue { return candidate }
            }
        }
        throw LabError(.missingTool, "natlab is not beside this program: build it (swift build --product natlab), or name it in NATLAB")
    }
}
