/// A call of a UPnP action, and its answer (UPnP Device Architecture 1.1 §3.2).
enum SOAPMessage {
    /// The body of a call. Arguments go in this order: some routers want it.
    static func request(_ action: String, service: UPnPService.Kind, arguments: [(name: String, value: String)]) -> String {
        let inner = arguments.map { "<\($0.name)>\(Self.escaped($0.value))</\($0.name)>" }.joined()
        return """
            <?xml version="1.0"?>\r
            <s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">\
            <s:Body><u:\(action) xmlns:u="\(service.rawValue)">\(inner)</u:\(action)></s:Body></s:Envelope>\r

            """
    }

    /// The output arguments in an answer.
    ///
    /// - Throws: ``UPnPFault`` if the gateway says no, ``XMLError`` or ``PortMappingError`` (`.malformedAnswer`) if it cannot be read.
    static func arguments(in bytes: [UInt8], action: String) throws -> [String: String] {
        let root = try XMLScanner.parse(bytes)
        guard root.name == "Envelope", let body = root["Body"] else {
            throw PortMappingError(.malformedAnswer, "the gateway's answer to \(action) is no SOAP envelope")
        }
        if let fault = body["Fault"] {
            guard let error = fault["detail"]?["UPnPError"], let code = error["errorCode"].flatMap({ Int($0.text) }), (100...999).contains(code) else {
                throw PortMappingError(.malformedAnswer, "the gateway's refusal of \(action) has no code")
            }
            throw UPnPFault(code: code, text: UPnPDeviceDescription.printable(error["errorDescription"]?.text ?? ""))
        }
        guard let response = body["\(action)Response"] else {
            throw PortMappingError(.malformedAnswer, "the gateway's answer is none to \(action)")
        }
        return Dictionary(response.children.map { ($0.name, $0.text) }, uniquingKeysWith: { first, _ in first })
    }

    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&apos;"
            case let scalar where scalar.value < 0x20: continue
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
