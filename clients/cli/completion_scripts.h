// SPDX-License-Identifier: Apache-2.0
// What a shell needs to complete the command: it asks `tcproctor completion words -- WORD…`, which
// answers one line for each word that may come, WORD TAB MEANING, and ":files" or ":folders" where
// names of those may stand.
#pragma once

namespace tcproctor::cli {

inline constexpr char kBashCompletion[] = R"sh(# bash completion for tcproctor
_tcproctor() {
  local line=${COMP_LINE:0:COMP_POINT} words=() word rest cut meaning i
  # bash cuts words at = and : as well; what no blank separates is put together again.
  for ((i = 0; i <= COMP_CWORD; ++i)); do
    rest=${line#"${line%%[![:blank:]]*}"}
    word=${COMP_WORDS[i]:0:${#rest}}
    if ((i == 0)) || [[ $rest != "$line" ]]; then words+=("$word"); else words[-1]+=$word; fi
    line=${rest#"$word"}
  done
  words=("${words[@]//[\'\"]/}")
  # What bash takes for words of their own before the one that it replaces.
  cut=${words[-1]%"${words[-1]##*[=:]}"}
  COMPREPLY=()
  while IFS=$'\t' read -r word meaning; do
    case $word in
      :files | :folders)
        [[ $word == :files ]] && i=-f || i=-d
        while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen "$i" -- "${words[-1]#"$cut"}")
        compopt -o filenames
        ;;
      *) COMPREPLY+=("${word#"$cut"}") ;;
    esac
  done < <("${COMP_WORDS[0]/#\~/$HOME}" completion words -- "${words[@]:1}" 2>/dev/null)
  [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
  return 0
}
complete -F _tcproctor tcproctor
)sh";

inline constexpr char kZshCompletion[] = R"sh(#compdef tcproctor
# zsh completion for tcproctor
_tcproctor() {
  local -a before texts shown open open_shown
  local text meaning files
  (( CURRENT > 2 )) && before=("${(@Q)words[2,CURRENT-1]}")
  while IFS=$'\t' read -r text meaning; do
    case $text in
      :files) files='_files' ;;
      :folders) files='_files -/' ;;
      *=) open+=("$text"); open_shown+=("$text${meaning:+  -- $meaning}") ;;
      *) texts+=("$text"); shown+=("$text${meaning:+  -- $meaning}") ;;
    esac
  done < <("${(Q)words[1]/#\~/$HOME}" completion words -- "${before[@]}" "${(Q)PREFIX}" 2>/dev/null)
  (( $#texts )) && compadd -l -d shown -a texts
  (( $#open )) && compadd -S '' -l -d open_shown -a open
  if [[ -n $files ]]; then
    compset -P '*='
    ${=files}
  fi
  (( $#texts || $#open )) || [[ -n $files ]]
}
if [[ $funcstack[1] == _tcproctor ]]; then
  _tcproctor "$@"
else
  compdef _tcproctor tcproctor
fi
)sh";

}  // namespace tcproctor::cli
