/// Text from strangers made safe to print on a terminal.
public enum DisplayText {
    /// Replaces what could command a terminal or disguise the text by `\u{…}`.
    ///
    /// C0 and C1 control characters and DEL (escape sequences begin with ESC or CSI), bidirectional embeddings, overrides, isolates
    /// and marks (Unicode TR 36 §2.4), line and paragraph separators, zero-width and invisible formatting characters, tags and noncharacters.
    public static func escaped(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: self.isUnsafe) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if self.isUnsafe(scalar) {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
    }

    static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return self.isControl(scalar) }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned:
            // The zero-width joiner and non-joiner are part of ordinary words and emoji; they reorder and hide nothing.
            return scalar.value != 0x200c && scalar.value != 0x200d
        default:
            return false
        }
    }
}
